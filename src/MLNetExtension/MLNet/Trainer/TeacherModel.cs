using System.Text.Json.Serialization;

namespace MLNetExtension;

/// <summary>The model that a student learns from: a published one, or one that was trained before. It is not changed.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(PublishedTeacher), "pretrained")]
[JsonDerivedType(typeof(TrainedTeacher), "trained")]
public abstract record TeacherModel
{
    private protected TeacherModel()
    {
    }

    /// <summary>A published model. It is read when training begins, in half precision where <see cref="Training.BatchingOptions.Precision"/> is, and freed when training ends.</summary>
    /// <param name="folder">A folder with the model's files, as for <see cref="LanguageModel.Pretrained"/>.</param>
    public static TeacherModel Pretrained(string folder) => new PublishedTeacher(folder);

    /// <summary>A model that was trained, or loaded. It stays its owner's, who keeps it until the training has ended, and others may use it meanwhile. It is not saved with the student.</summary>
    /// <param name="model">The model, on the device that the student is trained on.</param>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> is null.</exception>
    public static TeacherModel Trained(CausalLanguageModelTransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new TrainedTeacher { Model = model };
    }

    /// <summary>What messages call the model.</summary>
    internal abstract string Title { get; }

    internal abstract void Validate(string group);

    internal sealed record PublishedTeacher(string Folder) : TeacherModel
    {
        internal override string Title => $"'{Folder}'";

        internal override void Validate(string group) => Require.Name(Folder, group);
    }

    internal sealed record TrainedTeacher : TeacherModel
    {
        // Null in the options of a trained student, which would keep its teacher alive.
        [JsonIgnore]
        public CausalLanguageModelTransformer? Model { get; init; }

        internal override string Title => "the model given";

        internal override void Validate(string group) => Require.That(Model is not null, Model, "a model: those of a trained student's options are not kept", group);
    }
}
