"""The console beside a made up city of any size, to try and to photograph: `infra.pictures`."""
