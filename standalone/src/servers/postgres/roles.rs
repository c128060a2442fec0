//! The Postgres roles that every deployment has, as `schema/access/roles.sql` makes them.

const FILE: &str = include_str!("../../../../schema/access/roles.sql");

/// The variables of psql in that file, and the role whose password each stands for.
const PASSWORDS: [(&str, &str); 4] = [
    (":'owner_password'", "votestream"),
    (":'consumer_password'", "votestream_consumer"),
    (":'dashboard_password'", "votestream_dashboard"),
    (":'backup_password'", "votestream_backup"),
];

/// The statements that make the roles, or set their passwords where the roles are there. The passwords, which
/// `password_of` gives for each role's name, must need no escaping, as hexadecimal digits do not.
///
/// # Errors
/// Returns the first error of `password_of`.
pub fn roles_with_passwords<E>(
    mut password_of: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    PASSWORDS.iter().try_fold(FILE.to_owned(), |sql, (variable, role)| {
        Ok(sql.replace(variable, &format!("'{}'", password_of(role)?)))
    })
}
