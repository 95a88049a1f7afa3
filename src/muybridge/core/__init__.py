"""What every room stands on: errors, configs, shapes, seeding, the environment, files."""
