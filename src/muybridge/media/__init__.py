"""Films and pictures as files, and the settings they carry."""
