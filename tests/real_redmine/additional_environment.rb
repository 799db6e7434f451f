# Rails' own `timeout:` waits for SQLite's lock in C while it holds Ruby's global lock, and so stops
# the very thread that would release it: writes then fail with "database is locked". The gem's
# handler lets the other threads run.
patience = Module.new do
  def configure_connection
    super
    @raw_connection.busy_handler_timeout = 15_000 # milliseconds
  end
end
ActiveSupport.on_load(:active_record_sqlite3adapter) { prepend patience }
