//! Units, people, invitations, one's own account.
