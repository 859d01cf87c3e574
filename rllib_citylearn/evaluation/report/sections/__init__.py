"""What a report says, part by part, made from the cast of a community."""
