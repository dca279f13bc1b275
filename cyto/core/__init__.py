"""Plain data and rules that every floor above shares; standard library only."""
