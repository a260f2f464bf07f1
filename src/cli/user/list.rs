//! `user list`.

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::table::table;
use crate::model::user::User;
use crate::store::Store;

pub async fn run(store: &Store, console: &mut Console) -> Result<(), Failure> {
    let users = store.users().await.map_err(|error| Failure::of_store("cannot list the users", &error))?;
    let json = users.iter().map(super::json).collect();
    console.answer_either(&json, || text(&users))
}

fn text(users: &[User]) -> String {
    if users.is_empty() {
        return "There are no users: `strongroom user add` makes one.\n".to_owned();
    }
    let head = ["USER", "TENANT", "STATE", "ROLES"].map(str::to_owned).to_vec();
    let row = |user: &User| vec![user.name.to_string(), user.tenant.to_string(), super::state(user).to_owned(), super::roles(user)];
    table(&std::iter::once(head).chain(users.iter().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::user;
    use super::text;

    #[test]
    fn people_read_a_table() {
        let mut closed = user("bob", "observer,cloudbackup:creator");
        closed.disabled = true;
        assert_eq!(
            text(&[user("ada", "identity:user-admin"), closed]),
            "USER  TENANT  STATE     ROLES\n\
             ada   5501    open      identity:user-admin\n\
             bob   5501    disabled  cloudbackup:creator, observer\n"
        );
        assert!(text(&[]).starts_with("There are no users"));
    }
}
