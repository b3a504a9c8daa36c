"""What stands alone: handed to people who use none of our packages."""
