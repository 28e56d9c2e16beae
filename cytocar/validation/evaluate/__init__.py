"""What each kind of study says: a function from its tubes and a measurand to statistics with intervals."""
