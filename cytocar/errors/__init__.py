"""What can go wrong and what was noticed: the error tree, findings, the long text behind each code."""
