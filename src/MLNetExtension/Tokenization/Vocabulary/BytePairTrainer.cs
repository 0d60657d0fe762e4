using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>Trains a byte-level byte-pair vocabulary on texts, for a model that is trained from scratch.</summary>
/// <remarks>
/// <para>The pair of neighbouring tokens that is most frequent within words becomes a token, again and again. Among pairs that are equally frequent
/// the one with the smaller left id comes first, then the one with the smaller right id; a pair that would give a token that exists already is
/// skipped. So the same texts, in any order, give the same vocabulary on every machine.</para>
/// <para>Ids 0 to 255 are the bytes in GPT-2's order, then the merges as they were made, then the special tokens. Fewer tokens than asked for come
/// back where the texts have no more pairs.</para>
/// <para>Source: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016.</para>
/// </remarks>
public sealed partial class BytePairTrainer
{
    private const int ByteCount = 256;
    private const int TextsPerReport = 1000;
    private const int MergesPerReport = 100;

    private readonly Options _options;

    /// <summary>Creates a trainer.</summary>
    /// <param name="options">How to train; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public BytePairTrainer(Options? options = null)
    {
        _options = options ?? new Options();
        _options.Validate();
    }

    /// <summary>Trains on texts, which are read once.</summary>
    /// <param name="texts">The texts. Special tokens that are written out in them are ordinary characters.</param>
    /// <param name="progress">Receives a report at every thousandth text, at every hundredth merge and at the end; null for none.</param>
    /// <param name="cancellationToken">Cancels before the next text or merge.</param>
    /// <returns>The tokenizer; <see cref="TokenizerFolder.Save"/> writes its <c>tokenizer.json</c>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="texts"/> is null.</exception>
    /// <exception cref="FormatException">The pattern is not one that this library reads.</exception>
    /// <exception cref="NotSupportedException">The pattern takes too long for a text.</exception>
    /// <exception cref="InvalidDataException">A special token equals a token of bytes.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public ILanguageTokenizer Train(IEnumerable<string> texts, IProgress<BytePairTrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        int maximumMerges = _options.VocabularySize - ByteCount - _options.SpecialTokens.Length;
        var words = new WordCounter(_options.Pattern);
        foreach (string text in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            words.Add(text);
            if (words.Texts % TextsPerReport == 0)
                Report(0);
        }

        string[] bytes = [.. ByteAlphabet.Ordered.Select(character => character.ToString())];
        var merger = new BytePairMerger(bytes, words.Words, _options.MinimumPairCount);
        while (merger.Merges.Count < maximumMerges && merger.TryMergeNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (merger.Merges.Count % MergesPerReport == 0)
                Report(merger.Merges.Count);
        }

        Report(merger.Merges.Count);
        IReadOnlyList<string> tokens = merger.Tokens;
        var model = new BytePairModel
        {
            Vocabulary = Enumerable.Range(0, tokens.Count).ToDictionary(id => tokens[id]),
            Merges = [.. merger.Merges.Select(merge => (tokens[merge.Left], tokens[merge.Right]))],
        };
        AddedToken[] added = [.. _options.SpecialTokens.Select((content, index) => new AddedToken(tokens.Count + index, content))];
        new TokenizerDefinition { Model = model, AddedTokens = added }.Validate("The trained vocabulary");
        return HuggingFaceTokenizer.Create([TokenizerJsonWriter.Write(model, added, _options.Pattern), TokenizerConfiguration.Write(_options.SpecialTokens[0])]);

        void Report(int merges) => progress?.Report(new BytePairTrainingProgress(words.Texts, words.Chars, merges, maximumMerges));
    }
}
