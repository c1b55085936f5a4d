"""What the hub costs, held against the least work anyone could do for the same answer; ``make bench`` runs it."""
