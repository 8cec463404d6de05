//! How acts of the record of changes are said: `tool.set_price` is "Tool: price set".

/// An act in words, the thing first, so that a list of acts sorts by it. None: there are no words for it, and it is shown as
/// it is recorded.
pub fn deed(action: &str) -> Option<String> {
    let whole = match action {
        "crm.import" => "CRM: records imported",
        "settings.organization" => "Organization: settings changed",
        "settings.sign_in" => "Organization: sign-in rules changed",
        "settings.mail_sender" => "Organization: mail sender changed",
        "module.enable" => "Module: switched on",
        "module.renew" => "Module: renewed by an update",
        "user.change" => "Person: time zone changed",
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.to_owned());
    }
    let (thing, act) = action.split_once('.')?;
    Some(format!("{}: {}", subject(thing)?, done(act)?))
}

fn subject(thing: &str) -> Option<&'static str> {
    Some(match thing {
        "agent" => "Agent",
        "agents" => "All agents",
        "bundle" => "Bundle",
        "company" => "Company",
        "connection" => "Connection",
        "contact" => "Contact",
        "credential" => "Key",
        "deal" => "Deal",
        "filter" => "Saved filter",
        "grant" => "Grant",
        "interaction" => "Interaction",
        "invitation" => "Invitation",
        "limit" => "Limit",
        "module" => "Module",
        "role" => "Role",
        "session" => "Session",
        "tenant" => "Organization",
        "tool" => "Tool",
        "unit" => "Unit",
        "user" => "Person",
        _ => return None,
    })
}

fn done(act: &str) -> Option<&'static str> {
    Some(match act {
        "accept" => "accepted",
        "add" => "added",
        "add_tools" => "tools put in",
        "approve" => "approved",
        "archive" => "archived",
        "change" => "changed",
        "change_password" => "password changed",
        "close" => "closed",
        "create" => "created",
        "delete" => "deleted",
        "describe" => "described",
        "end" => "ended",
        "give" => "given",
        "hand_over" => "handed over",
        "issue" => "issued",
        "join_unit" => "joined a unit",
        "leave" => "left",
        "leave_unit" => "left a unit",
        "move" => "moved",
        "rediscover" => "asked for its tools",
        "remove" => "removed",
        "remove_tools" => "tools taken out",
        "rename" => "renamed",
        "rename_tool" => "tool renamed",
        "resend" => "sent again",
        "reset_password" => "password reset",
        "resume" => "resumed",
        "resume_all" => "resumed",
        "retire" => "retired",
        "revoke" => "revoked",
        "revoke_now" => "revoked at once",
        "rotate" => "rotated",
        "send" => "sent",
        "set" => "set",
        "set_key" => "permission key changed",
        "set_password" => "password set",
        "set_price" => "price set",
        "set_timeouts" => "timeouts set",
        "share" => "shared",
        "sign_in" => "signed in",
        "sign_up" => "signed up",
        "stop_all" => "stopped",
        "suspend" => "suspended",
        "switch_off" => "switched off",
        "switch_on" => "switched on",
        "take" => "taken",
        "try" => "tried",
        "update" => "changed",
        "withdraw" => "withdrawn",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_said_in_words_and_an_unknown_one_is_not() {
        assert_eq!(deed("tool.set_price").as_deref(), Some("Tool: price set"));
        assert_eq!(deed("settings.sign_in").as_deref(), Some("Organization: sign-in rules changed"));
        assert_eq!((deed("tool.paint"), deed("ghost.create"), deed("nothing")), (None, None, None));
    }
}
