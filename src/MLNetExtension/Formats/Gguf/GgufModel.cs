using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Writes a model as a GGUF file, which llama.cpp and what is built on it read.</summary>
internal static class GgufModel
{
    /// <summary>What a file's name ends in.</summary>
    public const string Extension = ".gguf";

    private const string DefaultName = "model" + Extension;

    // What general.file_type says: the type of most tensors.
    private static readonly Dictionary<GgufType, int> FileTypes = new() { [GgufType.F32] = 0, [GgufType.F16] = 1, [GgufType.Q8_0] = 7, [GgufType.BF16] = 32 };

    /// <summary>Writes a file, which appears when it is whole; until then an earlier one stays.</summary>
    /// <param name="path">The file, whose name ends in <c>.gguf</c>, or a folder, which gets <c>model.gguf</c>. Folders are created.</param>
    /// <param name="model">The model; its weights may be on any device, and with adapters are written as these make them.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="specialTokens">What else is known of its special tokens.</param>
    /// <param name="type">The type of matrices.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="NotSupportedException">The format cannot say what the model or its tokenizer does, or a weight is too large for the type; the message says which.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static string Save(string path, CausalLanguageModel model, ILanguageTokenizer tokenizer, SpecialTokens specialTokens, GgufType type)
    {
        IGgufArchitecture architecture = FindArchitecture(model);
        architecture.Check();
        IReadOnlyList<GgufTensor> tensors = architecture.ListTensors(new MergedWeights(model));
        GgufMetadata metadata = Describe(architecture, model.VocabularySize, type);
        GgufVocabulary.AddTo(metadata, tokenizer, specialTokens, model.VocabularySize);

        bool isFile = Path.GetExtension(path) == Extension && !Directory.Exists(path);
        string file = Path.GetFullPath(isFile ? path : Path.Combine(path, DefaultName));
        (string folder, string name) = (Path.GetDirectoryName(file)!, Path.GetFileName(file));
        using StagedFiles files = StagedFiles.CreateIn(folder);
        files.Write(name, stream => GgufWriter.Write(stream, metadata, tensors, type));
        files.MoveInto(folder, marker: name, isStale: _ => false);
        return file;
    }

    private static IGgufArchitecture FindArchitecture(CausalLanguageModel model) => model switch
    {
        Gpt2Model gpt2 => new Gpt2Gguf(gpt2.Configuration),
        LlamaModel llama => new LlamaGguf(llama.Configuration),
        _ => throw new NotSupportedException($"A model of the class {model.GetType().Name} cannot be written as GGUF; known are {nameof(Gpt2Model)} and {nameof(LlamaModel)}."),
    };

    // No name: by some names of models llama.cpp changes what their special tokens do.
    private static GgufMetadata Describe(IGgufArchitecture architecture, int vocabularySize, GgufType type)
    {
        GgufMetadata metadata = new();
        metadata.Add("general.architecture", architecture.Name);
        metadata.Add("general.type", "model");
        metadata.Add("general.file_type", FileTypes[type]);
        if (type == GgufType.Q8_0)
            metadata.Add("general.quantization_version", 2);
        architecture.AddTo(metadata);
        metadata.Add($"{architecture.Name}.vocab_size", vocabularySize);
        return metadata;
    }
}
