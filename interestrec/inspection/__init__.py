"""What raw files seem to hold: samples, profiles of columns, their roles, and a configuration drafted from them."""
