"""Films longer than the network was trained for: window by window without end, or at once through many windows."""
