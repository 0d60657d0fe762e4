using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Safetensors;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Assigns the tensors of weight files to the parameters of a model; this is checked before the model is created, so that nothing is allocated that the files do not fill.</summary>
internal sealed class HuggingFaceWeights
{
    private const string HeadName = "lm_head.weight";

    private readonly IReadOnlyList<SafetensorsFile> _files;
    private readonly Dictionary<string, HuggingFaceTensor> _tensors = [];
    // Where tied weights are stored twice: the second copy must equal the first.
    private readonly HuggingFaceTensor? _tiedCopy;

    /// <summary>Matches the files' tensors with those of an architecture.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, has another shape or type, or does not belong to the model; the message names it.</exception>
    public HuggingFaceWeights(IArchitecture architecture, IReadOnlyList<SafetensorsFile> files)
    {
        _files = files;
        string where = Path.GetDirectoryName(files[0].Path)!;
        Dictionary<string, SafetensorsEntry> entries = files.SelectMany(file => file.Entries).ToDictionary(entry => entry.Name);
        string first = architecture.Tensors.First().Name;
        string prefix = architecture.Prefixes.FirstOrDefault(prefix => entries.ContainsKey(prefix + first)) ?? architecture.Prefixes[0];
        foreach (HuggingFaceTensor tensor in architecture.Tensors)
        {
            string name = tensor.HasPrefix ? prefix + tensor.Name : tensor.Name;
            if (!entries.Remove(name, out SafetensorsEntry? entry))
                throw new InvalidDataException($"The weights in {where} lack the tensor '{name}', [{string.Join(", ", tensor.Shape)}].");
            Check(where, entry, tensor.Shape);
            _tensors.Add(name, tensor);
        }
        foreach (SafetensorsEntry entry in entries.Values)
        {
            string name = entry.Name.StartsWith(prefix, StringComparison.Ordinal) ? entry.Name[prefix.Length..] : entry.Name;
            if (architecture.IsIgnored(name))
                continue;
            if (entry.Name != HeadName)
                throw new InvalidDataException($"The weights in {where} hold the tensor '{Excerpt.Of(entry.Name)}', which this model does not have.");
            _tiedCopy = architecture.Tensors.First();
            Check(where, entry, _tiedCopy.Shape);
        }
    }

    /// <summary>Fills a model's parameters, a piece of a tensor at a time.</summary>
    /// <param name="model">A model of the architecture.</param>
    /// <exception cref="InvalidDataException">A weight is not finite, or tied weights are stored twice and differ.</exception>
    public void Fill(CausalLanguageModel model)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Parameter> parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        Dictionary<string, AdaptableLinear> linears = HuggingFaceAdapters.ListLinears(model);
        Tensor buffer = empty(0);
        foreach (SafetensorsFile file in _files)
        {
            using FileStream stream = file.OpenRead();
            foreach (SafetensorsEntry entry in file.Entries)
            {
                if (!_tensors.TryGetValue(entry.Name, out HuggingFaceTensor? tensor))
                    continue;
                stream.Position = file.DataStart + entry.Begin;
                if (linears.TryGetValue(tensor.Parameter, out AdaptableLinear? linear) && linear.Weight.Scales is { } scales)
                    FillIntegers(linear.Weight, tensor, BufferFor(tensor, scales.dtype), into => TensorBytes.ReadFinite(into, entry, stream, file.Path));
                else
                    TensorBytes.ReadFinite(tensor.CreateView(parameters), entry, stream, file.Path);
            }
        }
        if (_tiedCopy is not null)
            CompareTied(_tiedCopy.CreateView(parameters));

        // In the largest one so far: of many that are freed, the C library's allocator keeps holes.
        Tensor BufferFor(HuggingFaceTensor tensor, ScalarType type)
        {
            long length = tensor.Shape.Aggregate(1L, (product, size) => product * size);
            if (buffer.numel() < length || buffer.dtype != type)
                buffer = empty(length, dtype: type);
            return buffer.narrow(0, 0, length).view(tensor.Shape);
        }
    }

    // One matrix at a time: a scale needs the whole row, of which a file that holds the transpose has parts everywhere.
    private static void FillIntegers(LinearWeight weight, HuggingFaceTensor tensor, Tensor whole, Action<Tensor> read)
    {
        using var scope = NewDisposeScope();
        read(whole);
        weight.Store(tensor.FirstRow, tensor.IsTransposed ? whole.t() : whole);
    }

    private void CompareTied(Tensor embedding)
    {
        SafetensorsFile file = _files.First(file => file.Entries.Any(entry => entry.Name == HeadName));
        SafetensorsEntry head = file.Entries.First(entry => entry.Name == HeadName);
        using FileStream stream = file.OpenRead();
        stream.Position = file.DataStart + head.Begin;
        if (!TensorBytes.AreEqual(embedding, head.Type, stream))
            throw new InvalidDataException($"{file.Path} holds a tensor '{HeadName}' that differs from the embedding, but the configuration says that they are one ('tie_word_embeddings').");
    }

    private static void Check(string where, SafetensorsEntry entry, long[] shape)
    {
        if (!entry.Shape.SequenceEqual(shape))
            throw new InvalidDataException($"The tensor '{entry.Name}' in {where} is {Excerpt.Of(entry.Description)}, but the configuration asks for [{string.Join(", ", shape)}].");
        if (entry.Type is not (ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16))
            throw new InvalidDataException($"The tensor '{entry.Name}' in {where} is {entry.Description}; expected F64, F32, F16 or BF16.");
    }
}
