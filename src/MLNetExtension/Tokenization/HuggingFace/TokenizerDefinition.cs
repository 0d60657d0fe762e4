using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>All that defines a byte-level tokenizer, whether it was read from files or trained.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>The largest id; the largest vocabularies that are published have a sixteenth of it. A model has a row of weights for each id up to the largest that there is.</summary>
    public const int MaximumId = (1 << 24) - 1;

    /// <summary>The tokens that are merged from bytes, in the characters of <see cref="ByteAlphabet"/>.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>The pairs that are merged; those that come first are merged first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>Whether a word that is a token becomes that token, whatever the merges would give.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>Tokens that are looked for in the text.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Whether text is brought into Unicode normalization form C.</summary>
    public bool UsesNfc { get; init; }

    /// <summary>The patterns that split text into words, one after the other.</summary>
    public IReadOnlyList<string> Patterns { get; init; } = [SplitPatterns.Gpt2];

    /// <summary>The ids that the post-processor puts in front of a text.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>The ids that the post-processor puts behind a text.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    /// <summary>What the file has that changes no ids and is ignored.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>Checks the parts of the definition against one another.</summary>
    /// <exception cref="InvalidDataException">A token, a merge or an id contradicts another; the message begins with <paramref name="file"/>.</exception>
    public void Validate(string file)
    {
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            string token = ByteAlphabet.GetChar((byte)value).ToString();
            if (!Vocabulary.ContainsKey(token))
                throw new InvalidDataException($"{file}: the vocabulary lacks '{token}', the token of the byte {value}; a byte-level vocabulary has all 256.");
        }

        var ids = new Dictionary<int, string>();
        foreach ((string token, int id) in Vocabulary)
            Register(token, id);

        var contents = new HashSet<string>();
        foreach (AddedToken token in AddedTokens)
        {
            if (!contents.Add(token.Content))
                throw new InvalidDataException($"{file}: the added token '{Excerpt.Of(token.Content)}' is there twice.");

            if (Vocabulary.TryGetValue(token.Content, out int id) && id != token.Id)
                throw new InvalidDataException($"{file}: the added token '{Excerpt.Of(token.Content)}' has the id {token.Id}, and the vocabulary gives it {id}.");

            Register(token.Content, token.Id);
        }

        var pairs = new HashSet<(string, string)>();
        for (int rank = 0; rank < Merges.Count; rank++)
        {
            (string left, string right) = Merges[rank];
            foreach (string token in (string[])[left, right, left + right])
            {
                if (!Vocabulary.ContainsKey(token))
                    throw new InvalidDataException($"{file}: merge {rank} ('{Excerpt.Of(left)}' and '{Excerpt.Of(right)}') needs the token '{Excerpt.Of(token)}', which the vocabulary lacks.");
            }

            if (!pairs.Add(Merges[rank]))
                throw new InvalidDataException($"{file}: merge {rank} ('{Excerpt.Of(left)}' and '{Excerpt.Of(right)}') was there before.");
        }

        void Register(string token, int id)
        {
            if (token.Length == 0)
                throw new InvalidDataException($"{file}: the token with the id {id} is empty.");

            if (id is < 0 or > MaximumId)
                throw new InvalidDataException($"{file}: the token '{Excerpt.Of(token)}' has the id {id}; ids are from 0 to {MaximumId}.");

            if (!ids.TryAdd(id, token) && ids[id] != token)
                throw new InvalidDataException($"{file}: the tokens '{Excerpt.Of(ids[id])}' and '{Excerpt.Of(token)}' have the same id, {id}.");
        }
    }
}
