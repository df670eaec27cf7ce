"""Translations to the reward signatures of trainers; they decide nothing."""
