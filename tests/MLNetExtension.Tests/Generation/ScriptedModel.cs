using MLNetExtension.Models;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

/// <summary>A model that is certain of what follows each byte, and that says end-of-text where the script says nothing.</summary>
internal sealed class ScriptedModel : CausalLanguageModel
{
    private readonly Tensor _certainty;

    public ScriptedModel(params (int Id, int Next)[] script)
        : this(vocabularySize: 257, contextLength: 8, script)
    {
    }

    public ScriptedModel(int vocabularySize, int contextLength, params (int Id, int Next)[] script)
        : base(nameof(ScriptedModel))
    {
        (VocabularySize, ContextLength) = (vocabularySize, contextLength);
        long[] following = new long[VocabularySize];
        Array.Fill(following, ByteLevelTokenizer.EndOfTextId);
        foreach ((int id, int next) in script)
            following[id] = next;

        _certainty = eye(VocabularySize) * 1000;
        TokenEmbedding = _certainty.index_select(0, tensor(following));
        eval();
    }

    public override int VocabularySize { get; }

    public override int ContextLength { get; }

    /// <summary>Whether it says that it heeds a cache; what follows a byte does not depend on what came before.</summary>
    public bool Caches { get; init; }

    public override bool CanCache => Caches;

    /// <summary>Shapes of the ids that it was asked to read.</summary>
    public List<string> Read { get; } = [];

    /// <summary>Is called, with the ids' shape, before it reads them.</summary>
    public Action<string>? OnRead { get; init; }

    public override Tensor HeadWeight => _certainty;

    public override IReadOnlyList<TransformerBlock> Blocks => [];

    public override Tensor TokenEmbedding { get; }

    public override Tensor AddPositions(Tensor tokens, SequenceLayout layout)
    {
        Read.Add($"{tokens.shape[0]}x{tokens.shape[1]}");
        OnRead?.Invoke(Read[^1]);
        return tokens;
    }

    public override Tensor Normalize(Tensor hidden) => hidden;

    public override void ReseedDropout(long seed)
    {
    }

    protected override void Dispose(bool disposing)
    {
        TokenEmbedding.Dispose();
        _certainty.Dispose();
        base.Dispose(disposing);
    }
}
