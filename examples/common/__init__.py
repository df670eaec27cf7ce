"""What the recipes share: settings, models, data, stages, records. Each file holds one idea."""
