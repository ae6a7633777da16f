import { RecipeDocument, RecipesDocument } from '../generated/operations';
import { useQuery } from '../state/queries';
import { useWords } from '../state/context';
import { href } from '../state/route';
import type { RecipeInput } from '../state/values';
import { Jobs } from './jobs';
import { Pending } from './notice';

export function RecipesView() {
  const words = useWords();
  const asked = useQuery(RecipesDocument, {});
  return (
    <>
      <h1>{words.nav.recipes}</h1>
      <Pending of={asked} />
      {asked.data?.recipes.length === 0 && <p class="hint">{words.servers.noRecipes}</p>}
      <ul class="plain">
        {asked.data?.recipes.map(({ name, description }) => (
          <li class="card">
            <a href={href.recipe(name)}>{name}</a> <span class="hint">{description}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** What an input holds that is not given; null if that is nothing. */
function presetOf({ default: preset, secret }: RecipeInput): string | null {
  if (preset === null || secret) return null;
  return typeof preset === 'string' ? preset : JSON.stringify(preset);
}

function Inputs({ inputs }: { inputs: readonly RecipeInput[] }) {
  const words = useWords();
  return (
    <div class="wide">
      <table>
        <caption class="unseen">{words.servers.inputs}</caption>
        <thead>
          <tr>
            <th scope="col">{words.recipe.input}</th>
            <th scope="col">{words.recipe.type}</th>
            <th scope="col">{words.recipe.preset}</th>
            <th scope="col">{words.recipe.meaning}</th>
          </tr>
        </thead>
        <tbody>
          {inputs.map((input) => (
            <tr>
              <th scope="row">{input.name}</th>
              <td>
                {input.type} {input.secret && words.recipe.secret}
              </td>
              <td>{presetOf(input) ?? (input.required ? words.servers.required : '')}</td>
              <td>
                {input.description}
                {input.choices && <span class="hint"> {words.recipe.choices(input.choices.map(String))}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What a recipe takes, and its past runs. */
export function RecipeView({ name }: { name: string }) {
  const words = useWords();
  const asked = useQuery(RecipeDocument, { name });
  const recipe = asked.data?.recipe;
  return (
    <>
      <div class="bar">
        <h1>{name}</h1>
        {recipe && (
          <a class="button" href={href.run(name)}>
            {words.recipe.run}
          </a>
        )}
      </div>
      <Pending of={asked} />
      {asked.data && !recipe && <p class="hint">{words.common.none_found}</p>}
      {recipe?.description && <p>{recipe.description}</p>}
      {recipe && recipe.inputs.length > 0 && <Inputs inputs={recipe.inputs} />}
      <h2>{words.jobs.title}</h2>
      <Jobs filter={{ recipe: name }} />
    </>
  );
}
