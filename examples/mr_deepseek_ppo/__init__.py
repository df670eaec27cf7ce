"""MR-DeepSeek, after HuatuoGPT-o1: SFT, then PPO with a value head on a loop of our own."""
