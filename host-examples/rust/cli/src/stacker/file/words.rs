//! A command line split into words as the Go library of stacker (go-shlex, POSIX
//! rules) splits it. Nothing is expanded, nothing is a comment.

/// Why a command line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    Quotation,
    Escape,
}

/// The words; empty ones are dropped, quoted or not.
pub fn split(line: &str) -> Result<Vec<String>, Unfinished> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut state = State::Between;
    for c in line.chars() {
        state = match (state, c) {
            (State::Between | State::Word, c) if c.is_whitespace() => {
                end(&mut words, &mut word);
                State::Between
            }
            (State::Between | State::Word, '\\') => State::Escaped { quoted: false },
            (State::Between | State::Word, '\'' | '"') => State::Quoted(c),
            (State::Quoted(quote), c) if c == quote => State::Word,
            (State::Quoted('"'), '\\') => State::Escaped { quoted: true },
            (State::Quoted(quote), c) => {
                word.push(c);
                State::Quoted(quote)
            }
            (State::Escaped { quoted }, c) => {
                if quoted && c != '\\' && c != '"' {
                    word.push('\\');
                }
                word.push(c);
                if quoted {
                    State::Quoted('"')
                } else {
                    State::Word
                }
            }
            (State::Between | State::Word, c) => {
                word.push(c);
                State::Word
            }
        };
    }
    match state {
        State::Quoted(_) => return Err(Unfinished::Quotation),
        State::Escaped { .. } => return Err(Unfinished::Escape),
        State::Between | State::Word => end(&mut words, &mut word),
    }
    Ok(words)
}

#[derive(Clone, Copy)]
enum State {
    Between,
    Word,
    Quoted(char),
    Escaped { quoted: bool },
}

fn end(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}
