# frozen_string_literal: true

# Writes the sandbox's seed into an empty Redmine 6.1:  rails runner seed.rb seed.json
#
# Records are made through Redmine's models, so that a seed which Redmine would refuse is refused.
# Their callbacks derive values and write journals of their own; the seed states what rests in the
# database in the end, so its columns are written once more afterwards, and then compared.
# plugins/sandbox/README.md describes the seed.

SEED = JSON.parse(File.read(ARGV.fetch(0)))

# Of each list: its model, and which fields are columns of another name.
TABLES = {
  'users' => [User, {}],
  'groups' => [Group.givable, { 'name' => 'lastname' }],
  'issue_custom_fields' => [IssueCustomField, {}],
  'projects' => [Project, {}],
  'memberships' => [Member, { 'principal_id' => 'user_id' }],
  'versions' => [Version, { 'due_date' => 'effective_date' }],
  'issue_categories' => [IssueCategory, {}],
  'issues' => [Issue, {}],
  'issue_relations' => [IssueRelation, {}],
  'journals' => [Journal, { 'issue_id' => 'journalized_id' }],
  'attachments' => [Attachment, { 'issue_id' => 'container_id' }],
  'time_entries' => [TimeEntry, {}],
  # Each project has one wiki, and they are made in the order of the projects.
  'wiki_pages' => [WikiPage, { 'project_id' => 'wiki_id' }],
  'wiki_versions' => [WikiContentVersion, { 'text' => 'data' }]
}.freeze

def columns(table, row)
  model, renamed = TABLES.fetch(table)
  row.transform_keys { |name| renamed.fetch(name, name) }.slice(*model.column_names)
end

# Saves each row of a table as a new record; the block adds what is no column.
def create(table)
  SEED.fetch(table).each do |row|
    record = TABLES.fetch(table).first.new
    columns(table, row).each { |name, value| record.public_send("#{name}=", value) }
    yield record, row if block_given?
    record.save!
  end
end

def settings
  SEED['settings'].each { |name, value| Setting[name] = value }
end

def users
  User.anonymous # takes its id before ours are given out
  SEED['users'].each do |row|
    user = User.find_by(:id => row['id']) || User.new
    user.attributes = columns('users', row)
    user.mail = row['mail']
    user.password = row['password']
    user.language = 'en'
    user.mail_notification = 'none'
    user.must_change_passwd = false
    user.save!
    user.update_columns(:passwd_changed_on => row['created_on'], :last_login_on => nil)
    Token.where(:user_id => user.id).delete_all
    Token.insert!({ :user_id => user.id, :action => 'api', :value => row['api_key'],
                    :created_on => row['created_on'], :updated_on => row['created_on'] })
  end
  create('groups') { |group, row| group.user_ids = row['user_ids'] }
end

def projects
  create('issue_custom_fields') do |field, _|
    field.is_for_all = true
    field.tracker_ids = Tracker.ids
  end
  create('projects') do |project, row|
    project.enabled_module_names = []
    project.tracker_ids = row['tracker_ids']
    project.issue_custom_field_ids = row['issue_custom_field_ids']
  end
  EnabledModule.delete_all
  modules = SEED['projects'].flat_map { |row| row['enabled_modules'].map { |m| [row['id'], m] } }
  modules.each.with_index(1) do |(project_id, name), id|
    EnabledModule.create!(:id => id, :project_id => project_id, :name => name)
  end
end

def workflow
  roles = Role.all.index_by(&:name)
  WorkflowPermission.delete_all
  SEED['workflow_permissions'].each do |row|
    WorkflowPermission.create!(:role => roles.fetch(row['role']), :tracker_id => row['tracker_id'],
                               :old_status_id => row['status_id'],
                               :field_name => row['field_name'], :rule => row['rule'])
  end
end

def memberships
  given, inherited = SEED['memberships'].partition { |row| row['inherited_from'].nil? }
  given.each do |row|
    Member.create!(:id => row['id'], :project_id => row['project_id'],
                   :user_id => row['principal_id'], :roles => Role.where(:name => row['roles']))
    # Redmine has just made the members whose roles come from this group: give them their ids.
    inherited.select { |heir| heir['inherited_from'] == row['id'] }.each do |heir|
      member = Member.find_by!(:project_id => heir['project_id'], :user_id => heir['principal_id'])
      member.member_roles.update_all(:member_id => heir['id'])
      member.update_columns(:id => heir['id'])
    end
  end
end

def issues
  # A closed or locked version takes no issue: versions get their own status when all is written.
  create('versions') { |version, _| version.status = 'open' }
  create('issue_categories')
  create('issues') do |issue, row|
    issue.parent_issue_id = row['parent_id']
    issue.custom_field_values = row['custom_values']
    issue.notify = false
  end
  create('issue_relations')
end

# The history is the seed's alone, not what writing the issues has left behind.
def history
  [Journal, JournalDetail, Watcher].each(&:delete_all)
  SEED['journals'].each do |row|
    Journal.insert!(columns('journals', row).merge('journalized_type' => 'Issue'))
    row['details'].each do |detail|
      JournalDetail.insert!({ :journal_id => row['id'], :property => detail['property'],
                              :prop_key => detail['name'], :old_value => detail['old_value'],
                              :value => detail['new_value'] })
    end
  end
  SEED['issues'].each do |row|
    row['watcher_ids'].each do |id|
      Watcher.insert!({ :watchable_type => 'Issue', :watchable_id => row['id'], :user_id => id })
    end
  end
end

def work
  create('attachments') do |attachment, row|
    attachment.container_type = 'Issue'
    attachment.file = Base64.decode64(row['content_base64'])
    attachment.filename = row['filename'] # `file=` has overwritten both
    attachment.content_type = row['content_type']
  end
  create('time_entries')
end

def wikis
  create('wiki_pages')
  SEED['wiki_versions'].each do |row|
    content = WikiContent.find_or_initialize_by(:page_id => row['page_id'])
    content.update!(row.slice('author_id', 'text', 'comments')) # keeps a version of it, too
  end
end

def oauth_applications
  SEED['oauth_applications'].each do |row|
    application = Doorkeeper::Application.new(row.slice('id', 'name', 'uid', 'confidential'))
    application.redirect_uri = row['redirect_uris'].join("\n")
    application.scopes = row['scopes'].join(' ')
    application.secret_strategy.store_secret(application, :secret, row['secret'])
    application.save!
  end
end

def each_record
  TABLES.each do |table, (model, _)|
    SEED.fetch(table).each { |row| yield table, model.find(row['id']), columns(table, row) }
  end
end

def write_columns
  each_record { |_, record, columns| record.update_columns(columns) }
  Issue.update_all(:lock_version => 0)
  WikiContent.find_each do |content|
    content.update_columns(:updated_on => content.versions.find_by!(:version => content.version).updated_on)
  end
end

# The next record of each kind gets the id after the seed's last one.
def rewind_ids
  TABLES.each_value do |model, _|
    table = model.table_name
    model.connection.execute(
      "update sqlite_sequence set seq = (select max(id) from #{table}) where name = '#{table}'"
    )
  end
end

# Redmine keeps "no value" of a multiple field as one blank value.
def without_blanks(value)
  value.is_a?(Array) ? value.compact_blank : value.to_s
end

def compare
  wrong = TABLES.filter_map do |table, (model, _)|
    expected = SEED.fetch(table).pluck('id')
    found = table == 'users' ? User.where.not(:type => 'AnonymousUser').ids : model.ids
    "#{table}: ids #{found.sort}, not #{expected}" if found.sort != expected.sort
  end
  each_record do |table, record, columns|
    wanted = record.dup.tap { |copy| copy.attributes = columns.except('id') }
    columns.except('id').each_key do |name|
      next if record[name] == wanted[name]

      wrong << "#{table} #{record.id}: #{name} is #{record[name].inspect}"
    end
  end
  SEED['issues'].each do |row|
    issue = Issue.find(row['id'])
    wrong << "issue #{issue.id}: watchers" if issue.watchers.order(:id).pluck(:user_id) != row['watcher_ids']
    values = issue.custom_field_values.to_h { |field| [field.custom_field_id.to_s, without_blanks(field.value)] }
    wrong << "issue #{issue.id}: custom values #{values}" if values != row['custom_values']
  end
  raise wrong.join("\n") if wrong.any?
end

ActionMailer::Base.perform_deliveries = false
begin
  Redmine::DefaultData::Loader.load('en') if Redmine::DefaultData::Loader.no_data?
  ActiveRecord::Base.transaction do
    settings
    users
    projects
    memberships
    issues
    work
    wikis
    oauth_applications
    workflow
  end
  # Only after the commit: some callbacks wait for it.
  ActiveRecord::Base.transaction do
    history
    write_columns
    rewind_ids
    compare
  end
rescue StandardError => e
  abort "#{e.message}\n#{e.backtrace.grep(/seed\.rb/).join("\n")}"
end
TABLES.each_key { |table| puts "#{table}: #{SEED[table].size}" }
