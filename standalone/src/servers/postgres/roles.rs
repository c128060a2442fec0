//! The Postgres roles that every deployment has, as `schema/access/roles.sql` makes them.

const FILE: &str = include_str!("../../../../schema/access/roles.sql");

/// The statements that take away rights that every role has in a database. The superuser runs them in the
/// database of the deployment and in `postgres`.
pub const DATABASE_RIGHTS: &str = include_str!("../../../../schema/access/database.sql");

/// The variables of psql in that file, and the role whose password each stands for.
const PASSWORDS: [(&str, &str); 5] = [
    (":'owner_password'", "votestream"),
    (":'consumer_password'", "votestream_consumer"),
    (":'dashboard_password'", "votestream_dashboard"),
    (":'host_password'", "votestream_host"),
    (":'backup_password'", "votestream_backup"),
];

/// Returns the statements that create the roles and set their passwords. `password_of` gives the password for the name
/// of a role. It must need no escaping, as hexadecimal digits do not.
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
