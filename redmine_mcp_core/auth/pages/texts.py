"""Every text on the pages, in English, by name. A translation is a copy of this with other words.

What stands in braces is filled in, and may stand anywhere in its text or be left out of it.
"""

from __future__ import annotations

ENGLISH = {
    "brand": "Redmine MCP",
    "title": "{page} - Redmine MCP",
    "list.comma": ", ",
    "moment": "{date}, {time} UTC",
    # Clients
    "client.vouched": "✓ {host} vouches for this client",
    "client.vouched.short": "✓ {host}",
    "client.own_word": "The name is what the client calls itself. Nobody has checked it.",
    # Consent
    "consent.title": "Allow a client to use Redmine?",
    "consent.heading": "Let {client} use Redmine as you?",
    "consent.intro": (
        "You will sign in to {redmine} next. The client never sees your password or your API key."
    ),
    "consent.where": "When you allow it, you are sent back to",
    "consent.device": "When you allow it, you sign in the device that shows the code",
    "consent.allow": "Allow",
    "consent.deny": "Deny",
    "choose.legend": "What may it do?",
    "choose.limit.all": "All that it asks for",
    "choose.limit.all.more": "As far as you may do it yourself.",
    "choose.limit.read": "Only see",
    "choose.limit.read.more": "It can change nothing.",
    "choose.limit.some": "Only what I choose",
    "choose.limit.some.more": "Pick its permissions one by one.",
    "can.see": "It can see",
    "can.change": "It can change",
    "can.delete": "It can delete",
    "can.nothing": "It cannot change anything",
    "can.nothing.more": "It may read, and no more.",
    "way.legend": "How do you sign in?",
    "choose.way.oauth": "At Redmine",
    "choose.way.oauth.more": "With your login there.",
    "choose.way.key-login": "With my API key",
    "choose.way.key-login.more": "You find it in your Redmine account.",
    # The front page
    "front.title": "Connect your client",
    "front.heading": "Work in Redmine from your AI client",
    "front.intro": (
        "This server lets AI clients find, read and change things in Redmine: as you, with your "
        "permissions and no others. You choose what each of them may do, and it never sees your "
        "password."
    ),
    "front.redmine": "Connect to {redmine}",
    "front.redmine.named": "{name}: connect to {redmine}",
    "front.address": "Address of the MCP server",
    "front.choose": "Choose your client. One click on a grey box selects all of it, to be copied.",
    "front.key": "Each request has to bring your Redmine API key, in the header {header}.",
    "front.other": "Another client",
    "front.add": "Add to {client}",
    "front.terminal": "In a terminal:",
    "front.file": "In the file {place}:",
    "front.menu": "Go to {place} and enter:",
    "front.value": "The address, where it asks for one:",
    "front.command": "The command, where it asks for one:",
    "front.from_internet": (
        "It connects from its maker's computers, so this server has to be reachable from the "
        "internet."
    ),
    "front.bridge": (
        "That starts {program} on your computer, which {install} installs. It opens your browser "
        "for the sign-in."
    ),
    "front.connections": (
        "Afterwards you can see which clients are connected as you, and disconnect them: "
        "{connections}."
    ),
    # Sign-in to a page of ours
    "own.title": "Sign in",
    "own.heading": "Sign in to see your connections",
    "own.intro": (
        "You will sign in to {redmine} next, so that nobody else sees them. It is good for a "
        "quarter of an hour and for this page only."
    ),
    "own.continue": "Continue",
    "own.cancel": "Cancel",
    # API key
    "key.title": "Your API key",
    "key.heading": "Sign in with your API key",
    "key.intro": "It takes the place of your password, and you find it in Redmine.",
    "key.open": "Open {account}.",
    "key.account": "your account at {redmine}",
    "key.find": "On the right, under “API access key”, choose “Show”.",
    "key.paste": "Copy the key and paste it here.",
    "key.label": "API key",
    "key.refused": "Redmine does not know this key.",
    "key.kept": "It is kept encrypted, goes to your Redmine only, and the client never sees it.",
    "key.submit": "Sign in",
    # Device
    "device.title": "Connect a device",
    "device.heading": "Connect a device",
    "device.intro": "Enter the code that your device shows.",
    "device.label": "Code",
    "device.placeholder": "XXXX-XXXX",
    "device.submit": "Continue",
    "device.unknown": "There is no such code, or it has run out. Look at your device again.",
    "device.too_many": "Too many codes were tried. Wait for some minutes.",
    "device.question": "Is this your device?",
    "device.compare": "Your device must show this very code:",
    "device.client": "It calls itself",
    "device.address": "It asked from",
    "device.warning": (
        "Has somebody sent you this code or this link? Then stop here: they would work in Redmine "
        "as you."
    ),
    "device.yes": "It is mine, continue",
    "device.no": "It is not mine",
    "device.done.title": "Signed in",
    "device.done": "Your device is signed in",
    "device.done.who": "{client} now uses Redmine as {name}. Go back to your device.",
    "device.done.more": (
        "You can close this page. Whenever you like, you can disconnect it: {connections}."
    ),
    "device.refused.title": "Not connected",
    "device.refused": "The device was not connected",
    "device.refused.more": "It was told so. You can close this page.",
    # Connections
    "connections.link": "your connections",
    "connections.title": "Your connections",
    "connections.heading": "Your connections",
    "connections.who": "These clients use Redmine as {name} ({login}).",
    "connections.none": "No client is connected as you.",
    "connections.ended": "Disconnected: it can do nothing as you any more.",
    "connections.since": "Connected",
    "connections.last": "Last used",
    "connections.way": "Signed in",
    "connections.way.oauth": "at Redmine",
    "connections.way.key-login": "with an API key",
    "connections.may.see": "It only sees",
    "connections.may.change": "It sees and changes",
    "connections.may.delete": "It sees, changes and deletes",
    "connections.disconnect": "Disconnect",
    "connections.disconnect.label": "Disconnect {client}, connected {since}",
    "connections.all": "Disconnect all",
    "connections.sign_out": "Sign out of this page",
    "signed_out.heading": "You are signed out",
    "signed_out.more": "Your clients stay connected. You can close this page.",
    # Problems
    "problem.title": "Not signed in",
    "problem.heading": "You are not signed in",
    "problem.400": "This sign-in has run out or was finished already.",
    "problem.403": (
        "This sign-in was begun in another browser, so it was stopped. That happens when somebody "
        "else passed the link on to you."
    ),
    "problem.429": "Too many wrong keys came from your network. Try again in a minute.",
    "problem.503": (
        "The server cannot reach the store of its sign-ins just now. Try again in a minute."
    ),
    "problem.client_unasked": (
        "The server cannot ask the site of your client about it just now. Try again in a minute."
    ),
    "problem.other": "Something failed on the way.",
    "problem.denied": "You did not allow it, so nothing was signed in.",
    "problem.nothing_allowed": "Nothing was allowed, so nothing was signed in.",
    "problem.unknown_client": (
        "Your client is not known here, or no longer, or it wants you sent back to an address "
        "that it did not register. Remove this server in your client and add it again."
    ),
    "problem.then.client": (
        "You can close this page and connect again from your client. Nothing in Redmine was "
        "changed."
    ),
    "problem.then.device": (
        "You can close this page and begin again at your device. Nothing in Redmine was changed."
    ),
    "problem.then.connections": "You can close this page. Nothing in Redmine was changed.",
    # Permissions, in the order in which they are told. Those that are not here are told by their
    # names in Redmine. What it sees:
    "scope.admin": "everything, as an administrator",
    "scope.view_issues": "issues",
    "scope.view_private_notes": "private notes",
    "scope.view_time_entries": "time spent",
    "scope.view_issue_watchers": "who watches issues",
    "scope.view_project": "projects",
    "scope.view_members": "members",
    "scope.search_project": "search results",
    "scope.view_changesets": "commits",
    "scope.browse_repository": "source code",
    "scope.view_wiki_pages": "wiki pages",
    "scope.view_wiki_edits": "versions of wiki pages",
    "scope.view_wiki_page_watchers": "who watches wiki pages",
    "scope.export_wiki_pages": "wiki pages as files",
    "scope.view_messages": "forums",
    "scope.view_message_watchers": "who watches forum messages",
    "scope.view_news": "news",
    "scope.view_documents": "documents",
    "scope.view_files": "files",
    "scope.view_calendar": "calendars",
    "scope.view_gantt": "Gantt charts",
    # What it changes:
    "scope.add_issues": "create issues",
    "scope.edit_issues": "edit all issues",
    "scope.edit_own_issues": "edit your own issues",
    "scope.add_issue_notes": "comment on issues",
    "scope.edit_issue_notes": "edit anybody's comments",
    "scope.edit_own_issue_notes": "edit your own comments",
    "scope.copy_issues": "copy issues",
    "scope.manage_subtasks": "arrange subtasks",
    "scope.manage_issue_relations": "relate issues to each other",
    "scope.add_issue_watchers": "let others watch issues",
    "scope.set_issues_private": "make issues private or public",
    "scope.set_own_issues_private": "make your own issues private or public",
    "scope.set_notes_private": "make comments private",
    "scope.log_time": "log your time",
    "scope.log_time_for_other_users": "log time for others",
    "scope.edit_own_time_entries": "edit your own time",
    "scope.edit_time_entries": "edit anybody's time",
    "scope.manage_categories": "manage categories",
    "scope.manage_versions": "manage versions",
    "scope.manage_members": "add and remove members",
    "scope.add_project": "create projects",
    "scope.add_subprojects": "create subprojects",
    "scope.edit_project": "edit projects",
    "scope.close_project": "close and reopen projects",
    "scope.select_project_modules": "switch modules of projects on and off",
    "scope.select_project_publicity": "make projects public or private",
    "scope.edit_wiki_pages": "write wiki pages",
    "scope.rename_wiki_pages": "rename wiki pages",
    "scope.add_messages": "write in forums",
    "scope.manage_news": "write news",
    "scope.comment_news": "comment on news",
    "scope.manage_files": "upload files",
    "scope.save_queries": "save queries",
    # What it deletes:
    "scope.delete_issues": "issues",
    "scope.delete_issue_watchers": "watchers of issues",
    "scope.delete_project": "projects",
    "scope.delete_wiki_pages": "wiki pages",
    "scope.delete_wiki_pages_attachments": "files of wiki pages",
    "scope.delete_own_messages": "your own forum messages",
    "scope.delete_messages": "anybody's forum messages",
}
