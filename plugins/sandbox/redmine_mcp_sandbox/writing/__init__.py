"""What Redmine's models do when something is written: defaults, rules, derived values, journals."""
