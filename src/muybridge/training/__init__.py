"""Training that resumes exactly: tasks, optimizer, averages, checkpoints, stages."""
