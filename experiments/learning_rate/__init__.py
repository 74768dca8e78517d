"""Rules for the learning rate, judged by the time to a target."""
