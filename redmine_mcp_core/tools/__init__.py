"""What plugins contribute, and what their tools are handed when they are called."""
