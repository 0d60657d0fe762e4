using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>An exported model in ONNX Runtime, on the CPU. B rows, T new positions.</summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly Dictionary<string, DenseTensor<float>> _past = [];

    public OnnxSession(string folder)
    {
        // Two tests at a time on few cores: threads would only be in one another's way.
        using SessionOptions options = new() { IntraOpNumThreads = 1 };
        _session = new InferenceSession(Path.Combine(folder, "model.onnx"), options);
        Clear();
    }

    /// <summary>Forgets the past.</summary>
    public void Clear()
    {
        foreach ((string name, NodeMetadata input) in _session.InputMetadata.Where(pair => pair.Key.StartsWith("past", StringComparison.Ordinal)))
            _past[name] = new DenseTensor<float>(new[] { 1, input.Dimensions[1], 0, input.Dimensions[3] });
    }

    /// <summary>Computes the logits of new positions, [B,T,V], and remembers their keys and values.</summary>
    /// <param name="ids">[B,T].</param>
    /// <param name="mask">1 for tokens and 0 for padding, of the past and the new positions.</param>
    public DenseTensor<float> Run(long[][] ids, long[][] mask)
    {
        List<NamedOnnxValue> inputs = [Integers("input_ids", ids), Integers("attention_mask", mask)];
        foreach ((string name, DenseTensor<float> past) in _past)
        {
            bool isEmpty = past.Dimensions[2] == 0;
            DenseTensor<float> sized = isEmpty ? new(new[] { ids.Length, past.Dimensions[1], 0, past.Dimensions[3] }) : past;
            inputs.Add(NamedOnnxValue.CreateFromTensor(name, sized));
        }
        using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> outputs = _session.Run(inputs);
        foreach (DisposableNamedOnnxValue output in outputs.Where(output => output.Name != "logits"))
            _past[output.Name.Replace("present", "past_key_values")] = output.AsTensor<float>().ToDenseTensor();
        return outputs.First(output => output.Name == "logits").AsTensor<float>().ToDenseTensor();
    }

    public void Dispose() => _session.Dispose();

    private static NamedOnnxValue Integers(string name, long[][] rows) =>
        NamedOnnxValue.CreateFromTensor(name, new DenseTensor<long>(rows.SelectMany(row => row).ToArray(), new[] { rows.Length, rows[0].Length }));
}
