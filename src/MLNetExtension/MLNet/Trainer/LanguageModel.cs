using System.Text.Json.Serialization;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension;

/// <summary>The model that is trained: a new GPT-2 network, a published model, or a network of your own.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Gpt2Network), "gpt2")]
[JsonDerivedType(typeof(PretrainedModel), "pretrained")]
[JsonDerivedType(typeof(CustomModel), "custom")]
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
    /// <param name="dropout">
    /// Share that training zeroes at random, in place of those in <c>config.json</c>: GPT-2's <c>resid_pdrop</c>, <c>embd_pdrop</c> and <c>attn_pdrop</c>, the others' <c>attention_dropout</c>. Default null: what the file
    /// says, which is 0.1 for published GPT-2 models and 0 for nearly all others. From 0 to below 1; saved models keep it. Above 0, attention forms its probabilities, which takes more time and memory than its fused kernel.
    /// </param>
    public static LanguageModel Pretrained(string folder, int contextLength = DefaultContextLength, double? dropout = null) => new PretrainedModel(folder, contextLength) { Dropout = dropout };

    /// <summary>A model of this library that has been trained or loaded, trained further: a copy of its weights, with its tokenizer. Its low-rank adapters, where it has any, are merged into the copy.</summary>
    /// <param name="model">The model, which stays as it is and its owner's; it must not be disposed before <c>Fit</c> has returned. Of a model that <c>mlContext.Model.Load</c> gives as a chain, the <c>LastTransformer</c>.</param>
    /// <param name="contextLength">Most tokens that are read of a row. Default null: as many as the model was trained with; at least 1, and beyond the model's own context, that one.</param>
    public static LanguageModel Trained(CausalLanguageModelTransformer model, int? contextLength = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new TrainedModel(model, contextLength ?? model.Options.Model.ContextLength);
    }

    /// <summary>A network of your own: any TorchSharp module from token ids to logits, or one with parts, see <see cref="Models.CausalLanguageModel"/>.</summary>
    /// <param name="name">The name under which a trained model is saved; <see cref="CausalLanguageModelingCatalog.RegisterModel"/> makes it loadable. Not empty.</param>
    /// <param name="factory">
    /// Creates the module: ids [B,T] int64 to logits [B,T,V], where no position's logits depend on later ids and V is at least the tokenizer's vocabulary. It returns another module on every call, all of the
    /// same shape: training calls it once for the model and once for each further worker, which shares the weights. Weights that it draws from torch's global random numbers depend on the trainer's seed alone.
    /// </param>
    /// <param name="tokenizer">The tokenizer, such as <see cref="TokenizerFolder.Load(string)"/> gives it. Default null: tokens are bytes.</param>
    /// <param name="contextLength">Most tokens that the network reads of a row. Default 256, at least 1.</param>
    /// <remarks>
    /// <para>Any split of a batch gives the full batch's gradient; rows that are packed are computed one by one, so that none sees another. Text of a plain module is generated without a cache: every token costs a pass over the text.
    /// Low-rank adapters are added to every <c>nn.Linear</c> that the module runs by <c>call</c>, under its name in the module.</para>
    /// <para>In training, a module that draws from torch's global random numbers, as <c>nn.Dropout</c> does, draws from a seed of the step and the micro-batch, so that a run can be repeated and resumed bit for bit
    /// on a CPU; its forward passes then run one at a time, and the state of the CPU's generator is restored after each. Numbers from elsewhere, such as <see cref="System.Random"/>, are not controlled. In use, several
    /// threads may call the module at the same time in evaluation mode.</para>
    /// </remarks>
    public static LanguageModel Custom(string name, Func<nn.Module<Tensor, Tensor>> factory, ILanguageTokenizer? tokenizer = null, int contextLength = DefaultContextLength) =>
        new CustomModel(name, contextLength) { Factory = factory, Tokenizer = tokenizer };

    internal abstract void Validate(string group);

    /// <summary>What the model is called where nobody has said: its folder's name, or that of the network.</summary>
    internal abstract string Title { get; }

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

        internal override string Title => "gpt2";

        /// <summary>The sizes of the network for a vocabulary of this many ids.</summary>
        public Gpt2Configuration ToConfiguration(int vocabularySize) => new(vocabularySize, ContextLength, Layers, Heads, Width, Dropout, Experts, ExpertsPerToken);

        internal override void Validate(string group)
        {
            Require.That(Layers >= 1, Layers, "at least 1", group);
            Require.That(Width >= 1, Width, "at least 1", group);
            Require.That(Heads >= 1 && Width % Heads == 0, Heads, $"at least 1 and a divisor of {nameof(Width)} ({Width})", group);
            Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
            Require.Share(Dropout, group);
            Require.That(Experts >= 0, Experts, "at least 0", group);
            Require.That(ExpertsPerToken >= 1 && ExpertsPerToken <= Math.Max(1, Experts), ExpertsPerToken, $"from 1 to {nameof(Experts)} ({Experts})", group);
            Require.OptionalName(TokenizerFolder, group);
        }
    }

    internal sealed record PretrainedModel(string Folder, int ContextLength) : LanguageModel
    {
        public override int ContextLength { get; init; } = ContextLength;

        public double? Dropout { get; init; }

        internal override string Title => Path.GetFileName(Path.TrimEndingDirectorySeparator(Folder)) is { Length: > 0 } name ? name : "pretrained";

        internal override void Validate(string group)
        {
            Require.Name(Folder, group);
            Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
            Require.Share(Dropout, group);
        }
    }

    // Never saved: what is trained from it remembers what it was trained from itself.
    internal sealed record TrainedModel(CausalLanguageModelTransformer Source, int ContextLength) : LanguageModel
    {
        public override int ContextLength { get; init; } = ContextLength;

        internal override string Title => Source.Options.Model.Title;

        internal override void Validate(string group) => Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
    }

    internal sealed record CustomModel(string Name, int ContextLength) : LanguageModel
    {
        public override int ContextLength { get; init; } = ContextLength;

        // A saved model names the network; a registration supplies the rest.
        [JsonIgnore]
        public Func<nn.Module<Tensor, Tensor>>? Factory { get; init; }

        [JsonIgnore]
        public ILanguageTokenizer? Tokenizer { get; init; }

        internal override string Title => Name;

        public NetworkFactory ToFactory() => new(Name, Factory!, Tokenizer ?? new ByteLevelTokenizer(), ContextLength);

        internal override void Validate(string group)
        {
            Require.Name(Name, group);
            ArgumentNullException.ThrowIfNull(Factory, $"{group}.{nameof(Factory)}");
            Require.That(ContextLength >= 1, ContextLength, "at least 1", group);
        }
    }
}
