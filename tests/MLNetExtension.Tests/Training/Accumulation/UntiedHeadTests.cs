using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>A head with a weight of its own: its gradient comes from the loss alone, the embedding's from the body alone.</summary>
[TestClass]
public sealed class UntiedHeadTests
{
    // transformers #24725, for a model whose head is not its embedding. Seen to fail with: a chunk's gradient of the
    // head overwriting the one before; a division by the micro-batches; the last micro-batch left out.
    [TestMethod]
    [DataRow(8, false)]
    [DataRow(3, true)]
    [DataRow(1, false)]
    public void Any_split_of_a_batch_gives_the_full_batch_gradient(int rows, bool pack)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        using Untied whole = new(), microBatches = new();
        using FlatParameters expected = new(whole.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        nn.functional.cross_entropy(whole.call(ids).flatten(0, 1), targets.flatten()).backward();

        using BatchGradient gradient = new(microBatches, new GradientSettings { Pack = pack });
        gradient.Accumulate(Ragged.Split(batch, rows));

        CollectionAssert.AreEqual(expected.Names.ToArray(), gradient.Parameters.Names.ToArray());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient.Parameters.Gradients, expected.Gradients));
    }

    private sealed class Untied : CausalLanguageModel
    {
        private readonly Gpt2Model _body = Ragged.Model();
        private readonly Parameter head;

        public Untied()
            : base(nameof(Untied))
        {
            using Gpt2Model other = Ragged.Model(seed: 2);
            head = nn.Parameter(other.HeadWeight.detach().clone());
            RegisterComponents();
        }

        public override int VocabularySize => _body.VocabularySize;

        public override int ContextLength => _body.ContextLength;

        public override Tensor HeadWeight => head;

        public override IReadOnlyList<TransformerBlock> Blocks => _body.Blocks;

        public override Tensor TokenEmbedding => _body.TokenEmbedding;

        public override Tensor AddPositions(Tensor tokens, SequenceLayout layout) => _body.AddPositions(tokens, layout);

        public override Tensor Normalize(Tensor hidden) => _body.Normalize(hidden);

        public override void ReseedDropout(long seed) => _body.ReseedDropout(seed);
    }
}
