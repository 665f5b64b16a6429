"""Local mode: the processes of one machine, started, watched and stopped as one."""
