using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>All that defines a tokenizer, whether it was read from files or trained. The defaults are GPT-2's.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>The largest id; the largest vocabularies that are published have a sixteenth of it. A model has a row of weights for each id up to the largest that there is.</summary>
    public const int MaximumId = (1 << 24) - 1;

    /// <summary>What makes tokens of words.</summary>
    public required TokenModel Model { get; init; }

    /// <summary>Tokens that are looked for in the text.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>What changes the text before it is split.</summary>
    public TextNormalizer Normalizer { get; init; } = TextNormalizer.None;

    /// <summary>What splits the text into words, one step after the other.</summary>
    public IReadOnlyList<ISplitStep> Steps { get; init; } = [PatternStep.Isolating(SplitPatterns.Gpt2)];

    /// <summary>What makes text of tokens; null for tokens in the characters of <see cref="ByteAlphabet"/>.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>Whether words are bytes, in the characters of <see cref="ByteAlphabet"/>.</summary>
    public bool IsByteLevel => Decoder is null;

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
        if (IsByteLevel && Model is not BytePairModel)
            throw new InvalidDataException($"{file}: the decoder is ByteLevel, which belongs to a model of byte pairs (BPE).");

        for (int value = 0; value <= byte.MaxValue; value++)
        {
            string token = ByteAlphabet.GetChar((byte)value).ToString();
            if (IsByteLevel && !Model.Vocabulary.ContainsKey(token))
                throw new InvalidDataException($"{file}: the vocabulary lacks '{token}', the token of the byte {value}; a byte-level vocabulary has all 256.");

            if (Model.HasByteFallback && !Model.Vocabulary.ContainsKey(TokenModel.ByteToken(value)))
                throw new InvalidDataException($"{file}: the vocabulary lacks '{TokenModel.ByteToken(value)}', which 'byte_fallback' needs.");
        }

        CheckIds(file);
        if (Model is BytePairModel pairs)
            CheckMerges(pairs, file);
        if (Model is UnigramModel unigram && (uint)unigram.UnknownId >= (uint)unigram.Scores.Count)
            throw new InvalidDataException($"{file}: 'unk_id' is {unigram.UnknownId}, and the vocabulary has {unigram.Scores.Count} pieces.");
    }

    private void CheckIds(string file)
    {
        var ids = new Dictionary<int, string>();
        foreach ((string token, int id) in Model.Vocabulary)
            Register(token, id);

        var contents = new HashSet<string>();
        foreach (AddedToken token in AddedTokens)
        {
            if (!contents.Add(token.Content))
                throw new InvalidDataException($"{file}: the added token '{Excerpt.Of(token.Content)}' is there twice.");

            if (Model.Vocabulary.TryGetValue(token.Content, out int id) && id != token.Id)
                throw new InvalidDataException($"{file}: the added token '{Excerpt.Of(token.Content)}' has the id {token.Id}, and the vocabulary gives it {id}.");

            Register(token.Content, token.Id);
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

    private void CheckMerges(BytePairModel model, string file)
    {
        if (!IsByteLevel && model.UnknownToken is { } unknown && !model.Vocabulary.ContainsKey(unknown))
            throw new InvalidDataException($"{file}: 'unk_token' is '{Excerpt.Of(unknown)}', which the vocabulary lacks.");

        var pairs = new HashSet<(string, string)>();
        for (int rank = 0; rank < model.Merges.Count; rank++)
        {
            (string left, string right) = model.Merges[rank];
            foreach (string token in (string[])[left, right, left + right])
            {
                if (!model.Vocabulary.ContainsKey(token))
                    throw new InvalidDataException($"{file}: merge {rank} ('{Excerpt.Of(left)}' and '{Excerpt.Of(right)}') needs the token '{Excerpt.Of(token)}', which the vocabulary lacks.");
            }

            if (!pairs.Add(model.Merges[rank]))
                throw new InvalidDataException($"{file}: merge {rank} ('{Excerpt.Of(left)}' and '{Excerpt.Of(right)}') was there before.");
        }
    }
}
