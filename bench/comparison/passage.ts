// A text to prompt models with: plain English, written for this, long enough for 512 tokens.

export const PASSAGE = `The river comes down from the hills in the north and turns east below the old mill. For as long as anyone can \
remember there has been a bridge at that turn, first of wood, later of stone. Farmers bring their grain over it in the \
autumn, and in the spring the children throw sticks from one side and run to the other to see them come through. The \
miller's house stands a little higher than the road, because the water rises every year when the snow melts. On the wall \
beside the door there are marks with dates that show how high it came. The highest is almost at the window. That was the \
year when the bridge was lost and the whole village worked until the harvest to build the new one.

The school is on the other bank. It has two rooms, one for the small children and one for the others, and a stove in the \
middle that warms both. The teacher came from the city ten years ago and meant to stay for a single winter. She says that \
she stayed for the library, which had been left to the school by a doctor who had no children of his own. There are books \
about ships and stars, about the human body, about birds and how to tell them apart by their songs. Most of the pupils \
learn to read with a book about a dog that travels around the world and sends letters home. Each letter tells about a \
different country, what people eat there, how they build their houses, and what the weather is like.

In the evening, when the work is done, people meet in front of the inn. They talk about the price of wool, about the new \
road that the county has promised, and about the young man who went away to become an engineer. He writes that he is \
building a machine that can add numbers faster than a hundred clerks. Some of them laugh at that, and some of them ask \
what anybody would do with so many numbers. The innkeeper, who keeps his accounts in a thick book with a pencil on a \
string, says that he could think of one or two things. Then somebody starts to sing, and the others join in, and the \
dogs lie down under the tables and sleep until it is time to go home.

When the first frost comes the miller closes the upper gate and cleans the wheel. It takes him three days. He takes out \
every board, looks at it from both sides, and puts the good ones back. The others are burned in the stove of the school. \
His father did it this way, and his grandfather before him, and the wheel has turned for more than a hundred years.
`;
