using MLNetExtension.Models;
using MLNetExtension.Tokenization;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

/// <summary>A model that is certain of what follows each byte, and that says end-of-text where the script says nothing.</summary>
internal sealed class ScriptedModel : CausalLanguageModel
{
    private readonly Tensor _following;
    private readonly Tensor _certainty;

    public ScriptedModel(params (int Id, int Next)[] script)
        : base(nameof(ScriptedModel))
    {
        long[] following = new long[VocabularySize];
        Array.Fill(following, ByteLevelTokenizer.EndOfTextId);
        foreach ((int id, int next) in script)
            following[id] = next;

        _following = tensor(following);
        _certainty = eye(VocabularySize) * 1000;
        eval();
    }

    public override int VocabularySize => 257;

    public override int ContextLength => 8;

    public override Tensor HeadWeight => _certainty;

    public override IReadOnlyList<TransformerBlock> Blocks => [];

    public override Tensor Embed(Tensor ids, SequenceLayout layout) =>
        _certainty.index_select(0, _following.index_select(0, ids.flatten())).view(ids.shape[0], ids.shape[1], VocabularySize);

    public override Tensor Normalize(Tensor hidden) => hidden;

    public override void ReseedEmbedding(long seed)
    {
    }

    protected override void Dispose(bool disposing)
    {
        _following.Dispose();
        _certainty.Dispose();
        base.Dispose(disposing);
    }
}
