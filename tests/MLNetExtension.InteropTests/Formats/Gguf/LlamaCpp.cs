using System.Text;
using LLama.Native;

namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>A GGUF file as llama.cpp reads it, through LLamaSharp.</summary>
internal sealed class LlamaCpp : IDisposable
{
    // More than any row of these tests has.
    private const uint Positions = 256;

    private readonly SafeLlamaModelHandle _model;
    private SafeLLamaContextHandle? _context;

    static LlamaCpp()
    {
        NativeLibraryConfig.All.WithLogCallback((_, _) => { });
        // The native library is looked for by the first call of this class, and others do not wait for it.
        NativeApi.llama_empty_call();
    }

    public LlamaCpp(string path, bool vocabularyOnly = false)
    {
        LLamaModelParams parameters = LLamaModelParams.Default();
        parameters.n_gpu_layers = 0;
        parameters.vocab_only = vocabularyOnly;
        _model = SafeLlamaModelHandle.LoadFromFile(path, parameters);
    }

    public SafeLlamaModelHandle.Vocabulary Vocabulary => _model.Vocab;

    public string? ChatTemplate => _model.GetTemplate();

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="findsSpecial">Whether special tokens that are written out in it are found.</param>
    /// <param name="addsBeginning">Whether the id that begins a text comes first, where the file says so.</param>
    public int[] Encode(string text, bool findsSpecial = false, bool addsBeginning = false) =>
        [.. _model.Tokenize(text, addsBeginning, findsSpecial, Encoding.UTF8).Select(token => (int)token)];

    /// <summary>The logits of every position.</summary>
    /// <param name="ids">A row.</param>
    public float[][] ComputeLogits(int[] ids)
    {
        Context.MemoryClear();
        return Decode(ids, 0);
    }

    /// <summary>The likeliest tokens that follow a row, each computed with the keys and values of those before it.</summary>
    public int[] Continue(int[] ids, int count)
    {
        Context.MemoryClear();
        float[] logits = Decode(ids, 0)[^1];
        List<int> tokens = [];
        while (tokens.Count < count)
        {
            tokens.Add(Array.IndexOf(logits, logits.Max()));
            logits = Decode([tokens[^1]], ids.Length + tokens.Count - 1)[0];
        }
        return [.. tokens];
    }

    public void Dispose()
    {
        _context?.Dispose();
        _model.Dispose();
    }

    private SafeLLamaContextHandle Context => _context ??= CreateContext();

    private SafeLLamaContextHandle CreateContext()
    {
        LLamaContextParams parameters = LLamaContextParams.Default();
        (parameters.n_ctx, parameters.n_batch, parameters.n_ubatch) = (Positions, Positions, Positions);
        (parameters.n_threads, parameters.n_threads_batch) = (1, 1);
        // In half precision, the default, keys and values would be rounded.
        (parameters.type_k, parameters.type_v) = (GGMLType.GGML_TYPE_F32, GGMLType.GGML_TYPE_F32);
        parameters.llama_flash_attn_type = LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_DISABLED;
        return _model.CreateContext(parameters);
    }

    private float[][] Decode(int[] ids, int first)
    {
        LLamaBatch batch = new();
        for (int i = 0; i < ids.Length; i++)
            batch.Add(ids[i], first + i, LLamaSeqId.Zero, logits: true);
        Assert.AreEqual(DecodeResult.Ok, Context.Decode(batch));
        return [.. ids.Select((_, i) => Context.GetLogitsIth(i).ToArray())];
    }
}
