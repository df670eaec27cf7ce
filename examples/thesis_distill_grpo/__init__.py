"""The thesis: distillation into a 32B model by QLoRA, then GRPO with a hybrid reward."""
