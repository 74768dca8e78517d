"""Experiments on what the studies leave open."""
