//! Random passwords and signing keys.

/// Returns 32 random bytes as 64 hexadecimal digits, for use as a password or a signing key.
#[must_use]
pub fn random_secret() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}
