using System.Security.Cryptography;
using System.Text;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The teacher of a training. It is compared with the student before rows are read, its weights are read when the student's are made, and it is given back when the training has ended.</summary>
internal sealed class OpenedTeacher : IDisposable
{
    private readonly DistillationOptions _options;
    private readonly string? _folder;    // null for a model that is lent
    private readonly ScalarType _dtype;
    private readonly NetworkLifetime.Call? _use;
    private readonly ILanguageTokenizer _tokenizer;
    private TrainedLanguageModel? _owned;
    private CausalLanguageModel? _network;

    private OpenedTeacher(CausalLanguageModelTrainer.Options options, StartingModel student)
    {
        _options = options.Distillation!;
        if (_options.Teacher is TeacherModel.PublishedTeacher published)
        {
            StartingModel description = StartingModel.Open(new() { Model = LanguageModel.Pretrained(published.Folder, student.ContextLength) });
            (_folder, _tokenizer) = (published.Folder, description.Tokenizer);
            _dtype = options.Batching.Precision == ComputePrecision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
            RequireFit(description.ContextLength, student);
            return;
        }
        TrainedLanguageModel lent = ((TeacherModel.TrainedTeacher)_options.Teacher).Model!.Scoring.Model;
        _tokenizer = lent.Tokenizer;
        RequireFit(lent.Network.ContextLength, student);
        (_use, _network) = (lent.Use(), lent.Network);
    }

    /// <summary>Looks at the teacher that the options name.</summary>
    /// <param name="options">The options.</param>
    /// <param name="student">The model that is trained.</param>
    /// <returns>The teacher; null where there is none.</returns>
    /// <exception cref="ArgumentException">It has another tokenizer than the student, or a shorter context.</exception>
    /// <exception cref="ObjectDisposedException">It has been disposed.</exception>
    /// <exception cref="IOException">Its folder or a file in it is missing.</exception>
    /// <exception cref="InvalidDataException">A file of it is damaged.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that is not supported.</exception>
    public static OpenedTeacher? Open(CausalLanguageModelTrainer.Options options, StartingModel student) => options.Distillation is null ? null : new OpenedTeacher(options, student);

    /// <summary>Reads its weights, where that has not been done, and gives what training needs.</summary>
    /// <param name="device">Where the student is trained.</param>
    /// <exception cref="ArgumentException">It is elsewhere.</exception>
    public Distillation Load(Device device)
    {
        if (_folder is not null)
        {
            CausalLanguageModel network = HuggingFaceModel.Load(_folder, _dtype).Model;
            network.to(device);
            _owned = new TrainedLanguageModel(network, _tokenizer);
            _network = network;
        }
        if (_network!.Device.type != device.type || _network.Device.index != device.index)
            throw Unsuitable($"is on {_network.Device}, and the student on {device}");
        return new Distillation(_network, _options.Divergence, _options.Share, _options.Temperature);
    }

    /// <summary>Identifies its weights, once they are loaded: a training that resumes, and every rank, must have the same.</summary>
    public string HashWeights()
    {
        var hashes = new StringBuilder();
        foreach ((string name, Tensor weight) in _network!.state_dict().OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            using var scope = NewDisposeScope();
            hashes.Append(FormattableString.Invariant($"{name} {weight.dtype} {string.Join(' ', TensorHash.Compute(weight.detach().flatten().contiguous()))}\n"));
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hashes.ToString())));
    }

    /// <summary>Gives the teacher in words, for the log.</summary>
    public string Describe()
    {
        long parameters = _network!.parameters().Sum(parameter => parameter.NumberOfElements);
        string rest = _options.Share < 1 ? FormattableString.Invariant($", the cross entropy at a weight of {1 - _options.Share:0.###}") : "";
        return FormattableString.Invariant($"What is minimized: the {_options.Divergence.Describe()} from the teacher, {_options.Teacher.Title} ({parameters:N0} parameters), at a weight of {_options.Share} ")
            + FormattableString.Invariant($"and a temperature of {_options.Temperature}{rest}; evaluations measure the cross entropy.");
    }

    /// <summary>Frees the teacher, or gives it back.</summary>
    public void Dispose()
    {
        _owned?.Dispose();
        _use?.Dispose();
    }

    private void RequireFit(int contextLength, StartingModel student)
    {
        if (contextLength < student.ContextLength)
            throw Unsuitable($"reads at most {contextLength} tokens of a row, and the student {student.ContextLength} (option Model.ContextLength)");
        if (FindDifference(_tokenizer, student.Tokenizer) is { } difference)
            throw Unsuitable($"has another tokenizer than the student: {difference}");
    }

    private ArgumentException Unsuitable(string fault) => new($"Distillation.Teacher: {_options.Teacher.Title} {fault}.", nameof(CausalLanguageModelTrainer.Options.Distillation));

    // What the first id is that the two do not spell alike. Of models without a tokenizer only the number of ids is known.
    private static string? FindDifference(ILanguageTokenizer teacher, ILanguageTokenizer student)
    {
        if (ReferenceEquals(teacher, student))
            return null;
        if (teacher.VocabularySize != student.VocabularySize)
            return $"{teacher.VocabularySize} ids, and not {student.VocabularySize}";
        if (teacher is TokenIdsOnly || student is TokenIdsOnly)
            return null;
        if (teacher.EndOfTextId != student.EndOfTextId)
            return $"id {teacher.EndOfTextId} ends a text, and not {student.EndOfTextId}";
        for (int id = 0; id < student.VocabularySize; id++)
        {
            (string? there, string? here) = (Spell(teacher, id), Spell(student, id));
            if (there != here)
                return $"id {id} is {Quote(there)}, and not {Quote(here)}";
        }
        return null;
    }

    // Null for an id between others that the tokenizer does not have.
    private static string? Spell(ILanguageTokenizer tokenizer, int id)
    {
        try
        {
            return $"{tokenizer.Decode([id])}\0{tokenizer.ByteCount(id)}";
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string Quote(string? spelled) => spelled is null ? "none" : $"'{spelled[..spelled.IndexOf('\0', StringComparison.Ordinal)]}'";
}
