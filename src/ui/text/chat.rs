//! Sans-IO. The words of the chat.

/// Oneself.
pub const YOU: &str = "You";
/// Before the recipients.
pub const TO: &str = "To";
/// The room.
pub const EVERYONE: &str = "Everyone";
/// No recipient is chosen.
pub const NOBODY: &str = "Choose who";
/// In the empty field.
pub const WRITE: &str = "Write a message";
/// Opens the emoji.
pub const EMOJI_TIP: &str = "Emoji";
/// Offers files to those who are chosen.
pub const ATTACH_TIP: &str = "Send a file";
/// Says it.
pub const SEND: &str = "Send";
/// Nobody is here to choose.
pub const ALONE: &str = "Nobody else is here yet. What you write to everyone is kept for those who come.";
/// An empty chat.
pub const EMPTY: &str = "Nothing was said yet.";
/// Below it.
pub const EMPTY_HINT: &str = "Messages go straight to the people in this meeting. No server keeps them.";
/// On a line.
pub const COPY: &str = "Copy";
/// On a line with a link.
pub const COPY_LINK: &str = "Copy link";
/// On a line of somebody.
pub const REPLY: &str = "Write only to them";
/// It is on the clipboard.
pub const COPIED: &str = "Copied.";
/// Under a long line.
pub const SHOW_ALL: &str = "Show all of it";
/// At the end of the list.
pub const TO_THE_END: &str = "To the newest";
/// Where there is no room for all.
pub const DROP_STAGED: &str = "Do not send";
/// A person who was chosen and is gone.
pub const GONE: &str = "left";
/// Nobody has it yet.
pub const NOBODY_YET: &str = "Sent; waiting for somebody to come";
/// Longer than a line may be.
pub const TOO_LONG: &str = "This is too long for one message. Send it as a file, or in parts.";

/// The people in the picker: a good few of what people send, in an order of their own.
pub const EMOJI: [&str; 48] = [
    "👍", "👎", "👏", "🙏", "👋", "🙌", "💪", "👀", "😀", "😄", "😂", "🙂", "😉", "😊", "😍", "😘", "😎", "🤔", "😐",
    "😮", "😢", "😭", "😡", "😱", "🥳", "🤯", "😴", "🤒", "❤️", "🔥", "✨", "🎉", "💯", "✅", "❌", "❓", "❗", "💡",
    "📌", "📎", "⏰", "☕", "🍕", "🎂", "🐛", "🚀", "🌍", "🌈",
];

/// Joins names: `Ana`, `Ana and Bo`, `Ana, Bo and Cy`, `Ana, Bo and 3 more`.
pub fn names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

/// Beside the head of a private line: who else has it.
pub fn only_you_and(others: &[String]) -> String {
    if others.is_empty() { "only you".to_owned() } else { format!("only you and {}", names(others)) }
}

/// Over the field while recipients are chosen.
pub fn only_these(others: &[String]) -> String {
    format!("Only {} will see this", names(others))
}

/// Under one's own line.
pub fn delivery(delivered: &[String], expected: usize) -> String {
    let expected = expected.max(delivered.len());
    match (delivered.len(), expected) {
        (0, 0) => NOBODY_YET.to_owned(),
        (0, _) => "Sent".to_owned(),
        (have, all) if have == all => "Delivered".to_owned(),
        (have, all) => format!("Delivered to {have} of {all}"),
    }
}

/// The button while one reads further up.
pub fn new_messages(count: usize) -> String {
    match count {
        0 => TO_THE_END.to_owned(),
        1 => "1 new message".to_owned(),
        _ => format!("{count} new messages"),
    }
}

/// Files that were pasted wait for a word.
pub fn staged(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        _ => format!("{} files: {}", names.len(), self::names(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_has_it() {
        let check = |have: usize, all: usize, expect: &str| {
            let people: Vec<String> = (0..have).map(|n| format!("P{n}")).collect();
            assert_eq!(delivery(&people, all), expect);
        };
        check(0, 0, NOBODY_YET);
        check(0, 2, "Sent");
        check(1, 2, "Delivered to 1 of 2");
        check(2, 2, "Delivered");
        check(3, 2, "Delivered");
    }

    #[test]
    fn many_names_are_few_words() {
        let people: Vec<String> = ["Ana", "Bo", "Cy", "Di"].map(String::from).to_vec();
        assert_eq!(only_you_and(&people[..1]), "only you and Ana");
        assert_eq!(only_these(&people[..2]), "Only Ana and Bo will see this");
        assert_eq!(names(&people), "Ana, Bo and 2 more");
        assert_eq!(only_you_and(&[]), "only you");
    }
}
