"""What processes say of themselves: log lines, traces, metrics whose labels are bounded."""
