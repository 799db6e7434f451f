"""Who is calling, and with which credential Redmine is called for them."""
