using System.Text.Json.Serialization;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Gpt2;

namespace MLNetExtension;

/// <summary>The model that is trained: a new network, or a published one.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Gpt2Network), "gpt2")]
[JsonDerivedType(typeof(PretrainedModel), "pretrained")]
public abstract record LanguageModel
{
    private const int DefaultContextLength = 256;

    private protected LanguageModel()
    {
    }

    /// <summary>Maximum tokens of a row; a longer row is truncated, with a warning. At least 1.</summary>
    public abstract int ContextLength { get; init; }

    /// <summary>A new GPT-2 network, trained from scratch.</summary>
    /// <param name="layers">Number of transformer blocks. Default 4, at least 1.</param>
    /// <param name="heads">Attention heads of a block. Default 4; divides <paramref name="width"/>.</param>
    /// <param name="width">Length of a hidden state. Default 128, at least 1.</param>
    /// <param name="contextLength">Most tokens that the network reads of a row. Default 256, at least 1.</param>
    /// <param name="dropout">Share of outputs that training zeroes at random. Default 0; from 0 to below 1.</param>
    /// <param name="experts">Feed-forward networks of a block, of which a router picks some for each token. Default 0, a single one without a router.</param>
    /// <param name="expertsPerToken">How many experts a token passes through. Default 1; at most <paramref name="experts"/>.</param>
    /// <param name="tokenizerFolder">A folder with tokenizer files. Default null: tokens are bytes.</param>
    /// <remarks>Source: A. Radford et al., "Language models are unsupervised multitask learners", 2019.</remarks>
    public static LanguageModel Gpt2(
        int layers = 4, int heads = 4, int width = 128, int contextLength = DefaultContextLength, double dropout = 0, int experts = 0, int expertsPerToken = 1, string? tokenizerFolder = null) =>
        new Gpt2Network { Layers = layers, Heads = heads, Width = width, ContextLength = contextLength, Dropout = dropout, Experts = experts, ExpertsPerToken = expertsPerToken, TokenizerFolder = tokenizerFolder };

    /// <summary>A published model, trained further from its weights. Known model types: see <see cref="HuggingFaceModel"/>.</summary>
    /// <param name="folder">A folder with the model's files: <c>config.json</c>, <c>*.safetensors</c> and tokenizer files. Without tokenizer files it is trained on token ids, and <c>config.json</c> says which id ends a text.</param>
    /// <param name="contextLength">Most tokens that the model reads of a row. Default 256, at least 1; beyond the model's own context, that one.</param>
    public static LanguageModel Pretrained(string folder, int contextLength = DefaultContextLength) => new PretrainedModel(folder, contextLength);

    internal abstract void Validate(string group);

    internal sealed record Gpt2Network : LanguageModel
    {
        public int Layers { get; init; } = 4;

        public int Heads { get; init; } = 4;

        public int Width { get; init; } = 128;

        public override int ContextLength { get; init; } = DefaultContextLength;

        public double Dropout { get; init; }

        public int Experts { get; init; }

        public int ExpertsPerToken { get; init; } = 1;

        public string? TokenizerFolder { get; init; }

        /// <summary>The sizes of the network for a vocabulary of this many ids.</summary>
        public Gpt2Configuration ToConfiguration(int vocabularySize) => new(vocabularySize, ContextLength, Layers, Heads, Width, Dropout, Experts, ExpertsPerToken);

        internal override void Validate(string group)
        {
            Require.That(Layers >= 1, Layers, "at least 1", group);
            Require.That(Width >= 1, Width, "at least 1", group);
            Require.That(Heads >= 1 && Width % Heads == 0, Heads, $"at least 1 and a divisor of {nameof(Width)} ({Width})", group);
            Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
            Require.That(Dropout is >= 0 and < 1, Dropout, "from 0 to below 1", group);
            Require.That(Experts >= 0, Experts, "at least 0", group);
            Require.That(ExpertsPerToken >= 1 && ExpertsPerToken <= Math.Max(1, Experts), ExpertsPerToken, $"from 1 to {nameof(Experts)} ({Experts})", group);
            if (TokenizerFolder is not null)
                Require.Name(TokenizerFolder, group);
        }
    }

    internal sealed record PretrainedModel(string Folder, int ContextLength) : LanguageModel
    {
        public override int ContextLength { get; init; } = ContextLength;

        internal override void Validate(string group)
        {
            Require.Name(Folder, group);
            Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
        }
    }
}
