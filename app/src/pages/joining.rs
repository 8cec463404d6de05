//! Signing up, verifying, setting a new password, accepting an invitation.
