"""The reference makers: each writes cases below a folder."""
