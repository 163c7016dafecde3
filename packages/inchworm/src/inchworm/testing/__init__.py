"""What a user of inchworm tests migrations with."""
