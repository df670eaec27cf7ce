"""Gazal-R1: SFT with DoRA and rsLoRA, then GRPO on multiple-choice questions of medicine."""
