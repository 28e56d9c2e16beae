"""One pass over a file: marker axes, the compiled plan, blocks of events, frames of a population."""
